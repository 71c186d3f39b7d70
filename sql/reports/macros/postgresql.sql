{#- How PostgreSQL says it. Months and weeks are those of UTC, whatever the zone of the session. -#}
{%- macro units(amount) -%} {{ amount }} {%- endmacro -%}
{%- macro money(units) -%} {{ units }} {%- endmacro -%}
{%- macro times(units, n, d) -%} round({{ units }} * {{ n }} / {{ d }}, 4) {%- endmacro -%}
{%- macro percent(part, whole) -%}
CASE WHEN {{ whole }} <> 0 THEN round(CAST({{ part }} AS numeric) * 100 / {{ whole }}, 2) END
{%- endmacro -%}
{%- macro month(at) -%} to_char({{ at }} AT TIME ZONE 'UTC', 'YYYY-MM') {%- endmacro -%}
{%- macro week(at) -%} to_char(date_trunc('week', {{ at }} AT TIME ZONE 'UTC'), 'YYYY-MM-DD') {%- endmacro -%}
{%- macro moment(at) -%} to_char({{ at }} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') {%- endmacro -%}
{%- macro by_bytes(name) -%} {{ name }} COLLATE "C" {%- endmacro -%}
