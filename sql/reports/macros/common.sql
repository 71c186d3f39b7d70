{#- What every database says alike, on top of its own macros. -#}
{%- set known_types -%}
'sale', 'rebill', 'refund', 'partial_refund', 'chargeback',
        'failed', 'cancellation', 'request_cancellation', 'revert_cancellation'
{%- endset -%}
{%- set is_unknown_type -%}
(transaction_type IS NULL OR transaction_type NOT IN ({{ known_types }}))
{%- endset -%}
{#- What cannot be counted: a type nobody knows, or money that moved without an amount that is a number. -#}
{%- set is_unvalued -%}
(net_amount IS NULL AND (transaction_type IS NULL OR transaction_type NOT IN (
        'failed', 'cancellation', 'request_cancellation', 'revert_cancellation')))
{%- endset -%}
{%- macro sum_of(types) -%}
coalesce(sum(CASE WHEN transaction_type IN ({{ types }}) THEN {{ units('net_amount') }} END), 0)
{%- endmacro -%}
{%- set revenue_sums -%}
{{ sum_of("'sale', 'rebill'") }} AS gross,
    -{{ sum_of("'refund', 'partial_refund'") }} AS refunded,
    -{{ sum_of("'chargeback'") }} AS charged_back,
    coalesce(sum({{ units('net_amount') }}), 0) AS net,
    count(CASE WHEN transaction_type IN ('sale', 'rebill') THEN 1 END) AS sales,
    count(CASE WHEN {{ is_unvalued }} THEN 1 END) AS unvalued
{%- endset -%}
{%- set revenue_columns -%}
{{ money('gross') }} AS gross, {{ money('refunded') }} AS refunded,
    {{ money('charged_back') }} AS charged_back, {{ money('net') }} AS net, sales, currency, unvalued
{%- endset -%}
{%- set is_revenue -%}
(transaction_type IN ('sale', 'rebill', 'refund', 'partial_refund', 'chargeback') OR {{ is_unvalued }})
{%- endset -%}
{%- set by_currency -%} CASE WHEN currency IS NULL THEN 1 ELSE 0 END, {{ by_bytes('currency') }} {%- endset -%}
{#- The name a product was last sold under; a transaction without its number goes by the name alone. -#}
{%- set last_product_name -%}
CASE WHEN product_id IS NULL THEN product_name ELSE first_value(product_name) OVER (
        PARTITION BY product_id
        ORDER BY CASE WHEN transaction_date_utc IS NULL THEN 1 ELSE 0 END, transaction_date_utc DESC,
                 {{ by_bytes('transaction_id') }} DESC) END
{%- endset -%}
{#- Words that Kartra may write in more than one way. -#}
{%- macro bare(word) -%} replace(replace(replace(lower({{ word }}), ' ', ''), '_', ''), '-', '') {%- endmacro -%}
{#- Payments a month; NULL where the period is not one of Kartra's. -#}
{%- macro monthly(amount, period) -%}
CASE {{ bare(period) }}
        WHEN 'weekly' THEN {{ times(amount, 52, 12) }}
        WHEN 'every2weeks' THEN {{ times(amount, 26, 12) }}
        WHEN 'monthly' THEN {{ times(amount, 1, 1) }}
        WHEN 'every2months' THEN {{ times(amount, 1, 2) }}
        WHEN 'quarterly' THEN {{ times(amount, 1, 3) }}
        WHEN 'yearly' THEN {{ times(amount, 1, 12) }}
        WHEN 'every2years' THEN {{ times(amount, 1, 24) }}
    END
{%- endmacro -%}
{%- set monthly_value -%}
{{ monthly(units('subscription_next_scheduled_payment_amount'), 'subscription_recurring_period') }}
{%- endset -%}
{%- set is_unknown_status -%}
(subscription_status IS NULL OR subscription_status NOT IN ('Active', 'Paused', 'Cancelled', 'Terminated'))
{%- endset -%}
{#- A subscription has no currency of its own: it has that of its payments, else that of its product, where there is
    one alone. -#}
{%- macro one_currency(key) -%}
SELECT {{ key }} AS number, min({{ by_bytes('currency') }}) AS currency
    FROM transactions WHERE currency IS NOT NULL AND {{ key }} IS NOT NULL
    GROUP BY {{ key }} HAVING count(DISTINCT currency) = 1
{%- endmacro -%}
{%- set subscriptions_with_currency -%}
own_currency AS (
    {{ one_currency('transaction_internal_subscription_id') }}
), product_currency AS (
    {{ one_currency('product_id') }}
), subscribed AS (
    SELECT subscriptions.*, coalesce(own_currency.currency, product_currency.currency) AS currency
    FROM subscriptions
    LEFT JOIN own_currency ON own_currency.number = subscriptions.subscription_id
    LEFT JOIN product_currency ON product_currency.number = subscriptions.subscription_product_id
)
{%- endset -%}
