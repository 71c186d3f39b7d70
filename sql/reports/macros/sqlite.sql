{#- How SQLite says it. Money is text there: sums are made of ten-thousandths, and shown as text again. -#}
{%- macro units(amount) -%}
CAST(substr({{ amount }}, 1, instr({{ amount }} || '.', '.') - 1)
     || substr(substr({{ amount }}, instr({{ amount }} || '.', '.') + 1) || '0000', 1, 4) AS INTEGER)
{%- endmacro -%}
{%- macro whole(count) -%} {{ count }} {%- endmacro -%}
{%- macro money(units) -%}
CASE WHEN {{ units }} < 0 THEN '-' ELSE '' END || (abs({{ units }}) / 10000) || '.'
    || substr(printf('%04d', abs({{ units }}) % 10000), 1,
              CASE WHEN {{ units }} % 100 = 0 THEN 2 WHEN {{ units }} % 10 = 0 THEN 3 ELSE 4 END)
{%- endmacro -%}
{%- macro times(units, n, d) -%}
({{ units }} * {{ n }} * 2 + {{ d }}) / ({{ d }} * 2)
{%- endmacro -%}
{%- macro percent(part, whole) -%}
CASE WHEN {{ whole }} <> 0 THEN printf(
        '%d.%02d',
        ({{ part }} * 20000 + {{ whole }}) / ({{ whole }} * 2) / 100,
        ({{ part }} * 20000 + {{ whole }}) / ({{ whole }} * 2) % 100) END
{%- endmacro -%}
{%- macro local(at) -%}
{%- if is_utc -%} {{ at }} {%- else -%} datetime({{ at }}, ({{ offset_s(at) }}) || ' seconds') {%- endif -%}
{%- endmacro -%}
{%- macro month(at) -%} strftime('%Y-%m', {{ local(at) }}) {%- endmacro -%}
{%- macro week(at) -%} date({{ local(at) }}, 'weekday 0', '-6 days') {%- endmacro -%}
{%- macro moment(at) -%} strftime('%Y-%m-%d %H:%M:%S', {{ at }}) {%- endmacro -%}
{%- set soon -%} datetime('now', '+5 minutes') {%- endset -%}
{%- macro by_bytes(name) -%} {{ name }} {%- endmacro -%}
