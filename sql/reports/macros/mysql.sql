{#- How MySQL and MariaDB say it. Times stand in UTC there; names are compared by their bytes as it is. -#}
{%- macro units(amount) -%} {{ amount }} {%- endmacro -%}
{%- macro whole(count) -%} CAST({{ count }} AS signed) {%- endmacro -%}
{%- macro money(units) -%} {{ units }} {%- endmacro -%}
{%- macro times(units, n, d) -%} round({{ units }} * {{ n }} / {{ d }}, 4) {%- endmacro -%}
{%- macro percent(part, whole) -%}
CASE WHEN {{ whole }} <> 0 THEN round(({{ part }}) * 100 / {{ whole }}, 2) END
{%- endmacro -%}
{%- macro local(at) -%}
{{ at }} {%- if not is_utc %} + INTERVAL ({{ offset_s(at) }}) SECOND {%- endif -%}
{%- endmacro -%}
{%- macro month(at) -%} date_format({{ local(at) }}, '%Y-%m') {%- endmacro -%}
{%- macro week(at) -%}
date_format({{ local(at) }} - INTERVAL weekday({{ local(at) }}) DAY, '%Y-%m-%d')
{%- endmacro -%}
{%- macro moment(at) -%} date_format({{ at }}, '%Y-%m-%d %H:%i:%s') {%- endmacro -%}
{%- set soon -%} utc_timestamp() + INTERVAL 5 MINUTE {%- endset -%}
{%- macro by_bytes(name) -%} {{ name }} {%- endmacro -%}
