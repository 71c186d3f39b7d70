-- How many staged leads are not blocked, and how many of them are new and set apart. By indexes: the table is wide.
SELECT (SELECT count(*) FROM temp.new_leads) AS new,
       (SELECT count(*) FROM temp.staged) - (SELECT count(*) FROM temp.staged WHERE blocked IS NOT NULL)
           AS not_blocked;
