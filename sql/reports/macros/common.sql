{#- What every database says alike, on top of its own macros. -#}
{%- macro sum_of(types) -%}
coalesce(sum(CASE WHEN transaction_type IN ({{ types }}) THEN {{ units('net_amount') }} END), 0)
{%- endmacro -%}
{%- set revenue_sums -%}
{{ sum_of("'sale', 'rebill'") }} AS gross,
    -{{ sum_of("'refund', 'partial_refund'") }} AS refunded,
    -{{ sum_of("'chargeback'") }} AS charged_back,
    coalesce(sum({{ units('net_amount') }}), 0) AS net,
    count(CASE WHEN transaction_type IN ('sale', 'rebill') THEN 1 END) AS sales
{%- endset -%}
{%- set revenue_columns -%}
{{ money('gross') }} AS gross, {{ money('refunded') }} AS refunded,
    {{ money('charged_back') }} AS charged_back, {{ money('net') }} AS net, sales
{%- endset -%}
{%- set is_revenue -%}
transaction_type IN ('sale', 'rebill', 'refund', 'partial_refund', 'chargeback')
{%- endset -%}
{#- The name a product was last sold under; a transaction without its number goes by the name alone. -#}
{%- set last_product_name -%}
CASE WHEN product_id IS NULL THEN product_name ELSE first_value(product_name) OVER (
        PARTITION BY product_id
        ORDER BY CASE WHEN transaction_date_utc IS NULL THEN 1 ELSE 0 END, transaction_date_utc DESC,
                 {{ by_bytes('transaction_id') }} DESC) END
{%- endset -%}
{#- Payments a month; NULL where the period is not one of Kartra's. -#}
{%- macro monthly(amount, period) -%}
CASE lower({{ period }})
        WHEN 'weekly' THEN {{ times(amount, 52, 12) }}
        WHEN 'every 2 weeks' THEN {{ times(amount, 26, 12) }}
        WHEN 'monthly' THEN {{ times(amount, 1, 1) }}
        WHEN 'every 2 months' THEN {{ times(amount, 1, 2) }}
        WHEN 'quarterly' THEN {{ times(amount, 1, 3) }}
        WHEN 'yearly' THEN {{ times(amount, 1, 12) }}
        WHEN 'every 2 years' THEN {{ times(amount, 1, 24) }}
    END
{%- endmacro -%}
{%- set monthly_value -%}
{{ monthly(units('subscription_next_scheduled_payment_amount'), 'subscription_recurring_period') }}
{%- endset -%}
