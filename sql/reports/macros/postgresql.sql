{#- How PostgreSQL says it. Months and weeks do not depend on the zone of the session. -#}
{%- macro units(amount) -%} {{ amount }} {%- endmacro -%}
{%- macro whole(count) -%} CAST({{ count }} AS bigint) {%- endmacro -%}
{%- macro money(units) -%} {{ units }} {%- endmacro -%}
{%- macro times(units, n, d) -%} round({{ units }} * {{ n }} / {{ d }}, 4) {%- endmacro -%}
{%- macro percent(part, whole) -%}
CASE WHEN {{ whole }} <> 0 THEN round(CAST({{ part }} AS numeric) * 100 / {{ whole }}, 2) END
{%- endmacro -%}
{%- macro local(at) -%}
{{ at }} AT TIME ZONE 'UTC' {%- if not is_utc %} + ({{ offset_s(at) }}) * interval '1 second' {%- endif -%}
{%- endmacro -%}
{%- macro month(at) -%} to_char({{ local(at) }}, 'YYYY-MM') {%- endmacro -%}
{%- macro week(at) -%} to_char(date_trunc('week', {{ local(at) }}), 'YYYY-MM-DD') {%- endmacro -%}
{%- macro moment(at) -%} to_char({{ at }} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') {%- endmacro -%}
{%- set soon -%} now() + interval '5 minutes' {%- endset -%}
{%- macro by_bytes(name) -%} {{ name }} COLLATE "C" {%- endmacro -%}
