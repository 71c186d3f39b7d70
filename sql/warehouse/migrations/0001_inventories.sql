-- What the account has, by name, as far as pulls have seen it. The name is the key, for Kartra gives no ids
-- with names: a rename looks like one name gone and another come. Times of ours end in _at, in UTC.

CREATE TABLE IF NOT EXISTS tags (
    name {{ name }} NOT NULL, -- exactly as Kartra shows it
    first_seen_at {{ utc }} NOT NULL, -- when a pull saw it first
    last_seen_at {{ utc }} NOT NULL, -- when a pull saw it last
    gone_at {{ utc }}, -- when a pull missed it; empty while it is there
    PRIMARY KEY (name)
) {{ options }};

CREATE TABLE IF NOT EXISTS lists (
    name {{ name }} NOT NULL, -- exactly as Kartra shows it
    first_seen_at {{ utc }} NOT NULL, -- when a pull saw it first
    last_seen_at {{ utc }} NOT NULL, -- when a pull saw it last
    gone_at {{ utc }}, -- when a pull missed it; empty while it is there
    PRIMARY KEY (name)
) {{ options }};

CREATE TABLE IF NOT EXISTS sequences (
    name {{ name }} NOT NULL, -- exactly as Kartra shows it
    first_seen_at {{ utc }} NOT NULL, -- when a pull saw it first
    last_seen_at {{ utc }} NOT NULL, -- when a pull saw it last
    gone_at {{ utc }}, -- when a pull missed it; empty while it is there
    PRIMARY KEY (name)
) {{ options }};

CREATE TABLE IF NOT EXISTS pages (
    name {{ name }} NOT NULL, -- exactly as Kartra shows it
    first_seen_at {{ utc }} NOT NULL, -- when a pull saw it first
    last_seen_at {{ utc }} NOT NULL, -- when a pull saw it last
    gone_at {{ utc }}, -- when a pull missed it; empty while it is there
    PRIMARY KEY (name)
) {{ options }};

CREATE TABLE IF NOT EXISTS custom_fields (
    field_identifier {{ name }} NOT NULL, -- by which values are written
    field_id {{ id }}, -- Kartra's number
    field_type {{ name }}, -- input_field, text_area, drop_down, radio_button or checkbox
    first_seen_at {{ utc }} NOT NULL, -- when a pull saw it first
    last_seen_at {{ utc }} NOT NULL, -- when a pull saw it last
    gone_at {{ utc }}, -- when a pull missed it; empty while it is there
    extra {{ json }}, -- what Kartra sent beyond these columns
    PRIMARY KEY (field_identifier)
) {{ options }};

CREATE TABLE IF NOT EXISTS custom_field_options (
    field_identifier {{ name }} NOT NULL, -- of custom_fields
    option_id {{ id }} NOT NULL, -- unique within its field only
    option_value {{ text }}, -- its label
    first_seen_at {{ utc }} NOT NULL, -- when a pull saw it first
    last_seen_at {{ utc }} NOT NULL, -- when a pull saw it last
    gone_at {{ utc }}, -- when a pull missed it; empty while it is there
    extra {{ json }}, -- what Kartra sent beyond these columns
    PRIMARY KEY (field_identifier, option_id)
) {{ options }};
