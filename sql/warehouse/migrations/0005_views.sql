-- Which text the views of reports have here, so that they are made anew only when it has changed: whoever reads
-- a view would have a pull wait for them.

CREATE TABLE IF NOT EXISTS report_views (
    name {{ name }} NOT NULL, -- of a view
    digest {{ name }} NOT NULL, -- of its text
    created_at {{ utc }} NOT NULL, -- when it was made
    PRIMARY KEY (name)
) {{ options }};
