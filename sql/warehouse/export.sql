-- Whole tables and views, for files. Names of tables and columns are ours.

-- name: table
-- In the order of the bytes of the primary key, which every database can.
SELECT {{ columns | join(", ") }} FROM {{ table }}
ORDER BY {% for key in keys %}{{ key }}{{ ' COLLATE "C"' if dialect == "postgresql" }}{{ ", " if not loop.last }}{% endfor %}

-- name: report
-- In the order of all columns of the view, by their places.
SELECT * FROM {{ view }} ORDER BY {{ places | join(", ") }}
