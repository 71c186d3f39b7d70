-- Types of transactions and statuses of subscriptions in Kartra's own words, however they were written: `Partial
-- Refund` is partial_refund. What was written stays in extra. What such transactions add to the income is known now.
{%- set types = ("sale", "rebill", "refund", "partial_refund", "chargeback", "failed", "cancellation",
                 "request_cancellation", "revert_cancellation") %}
{%- set statuses = ("Active", "Paused", "Cancelled", "Terminated") %}
{%- macro bare(word) -%}
replace(replace(replace(replace(lower({{ word }}), ' ', ''), '_', ''), '-', ''), '.', '')
{%- endmacro %}
{%- macro with_spelling(column) -%}
{%- if dialect == "postgresql" -%}
coalesce(extra, CAST('{}' AS jsonb)) || jsonb_build_object('{{ column }}', {{ column }})
{%- else -%}
json_set(coalesce(extra, '{}'), '$.{{ column }}', {{ column }})
{%- endif -%}
{%- endmacro %}
{%- macro in_own_words(table, column, words, others) %}
UPDATE {{ table }} SET
    extra = {{ with_spelling(column) }},
    {{ column }} = CASE {{ bare(column) }}
        {%- for word in words %} WHEN '{{ word.replace("_", "").lower() }}' THEN '{{ word }}'{% endfor %}
        {%- for other, word in others.items() %} WHEN '{{ other }}' THEN '{{ word }}'{% endfor %} END
WHERE {{ bare(column) }} IN (
        {%- for word in words %}'{{ word.replace("_", "").lower() }}', {% endfor %}
        {%- for other in others %}'{{ other }}'{{ ", " if not loop.last }}{% endfor %})
    AND {{ column }} NOT IN ({% for word in words %}'{{ word }}'{{ ", " if not loop.last }}{% endfor %});
{% endmacro %}
{{ in_own_words("transactions", "transaction_type", types, {
    "requestcan": "request_cancellation", "revertcan": "revert_cancellation", "cancelation": "cancellation",
}) }}
{{ in_own_words("subscriptions", "subscription_status", statuses, {"canceled": "Cancelled"}) }}
UPDATE transactions SET net_amount = CASE
    WHEN transaction_type IN ('sale', 'rebill') THEN {{ "ltrim(transaction_full_amount, '-')"
        if dialect == "sqlite" else "abs(transaction_full_amount)" }}
    WHEN transaction_type IN ('refund', 'partial_refund', 'chargeback') THEN
        {{ "'-' || ltrim(transaction_full_amount, '-')" if dialect == "sqlite" else "-abs(transaction_full_amount)" }}
    ELSE {{ "'0'" if dialect == "sqlite" else "0" }} END
WHERE net_amount IS NULL AND (pulled_at IS NOT NULL OR origin = 'export')
    AND (transaction_full_amount IS NOT NULL
         OR transaction_type NOT IN ('sale', 'rebill', 'refund', 'partial_refund', 'chargeback'))
    AND transaction_type IN ({% for type in types %}'{{ type }}'{{ ", " if not loop.last }}{% endfor %});
