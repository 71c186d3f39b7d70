{#- How MySQL and MariaDB say it. Times stand in UTC there; names are compared by their bytes as it is. -#}
{%- macro units(amount) -%} {{ amount }} {%- endmacro -%}
{%- macro money(units) -%} {{ units }} {%- endmacro -%}
{%- macro times(units, n, d) -%} round({{ units }} * {{ n }} / {{ d }}, 4) {%- endmacro -%}
{%- macro percent(part, whole) -%}
CASE WHEN {{ whole }} <> 0 THEN round(({{ part }}) * 100 / {{ whole }}, 2) END
{%- endmacro -%}
{%- macro month(at) -%} date_format({{ at }}, '%Y-%m') {%- endmacro -%}
{%- macro week(at) -%} date_format({{ at }} - INTERVAL weekday({{ at }}) DAY, '%Y-%m-%d') {%- endmacro -%}
{%- macro moment(at) -%} date_format({{ at }}, '%Y-%m-%d %H:%i:%s') {%- endmacro -%}
{%- macro by_bytes(name) -%} {{ name }} {%- endmacro -%}
