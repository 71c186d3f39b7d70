{#- How far the clocks of `pull.zone` were from UTC, in seconds: `shifts` has (from when on in UTC, seconds), the
    latest first. Written out, for SQLite and MariaDB know no zones of their own. -#}
{%- macro offset_s(at) -%}
{%- if shifts | length == 1 -%} {{ shifts[0][1] }} {%- else -%}
CASE {% for begins, seconds in shifts[:-1] %}WHEN {{ at }} >= {{ begins }} THEN {{ seconds }} {% endfor -%}
ELSE {{ shifts[-1][1] }} END
{%- endif -%}
{%- endmacro -%}
{%- set is_utc = shifts | length == 1 and shifts[0][1] == 0 -%}
