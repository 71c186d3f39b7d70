-- Leads as their profiles show them. Columns keep Kartra's names; its times are text by Kartra's own clock
-- (EST), with the same in UTC beside. An empty value, N/A and a date of zeros are NULL.

CREATE TABLE IF NOT EXISTS leads (
    id {{ id }} NOT NULL, -- Kartra's number of the lead
    email {{ text }}, -- as Kartra stores it; Test mode rewrites it
    first_name {{ text }}, -- first name
    middle_name {{ text }}, -- middle name
    last_name {{ text }}, -- last name
    last_name2 {{ text }}, -- second family name
    phone_country_code {{ text }}, -- country code of the phone
    phone {{ text }}, -- phone
    company {{ text }}, -- company
    address {{ text }}, -- street
    zip {{ text }}, -- postal code
    city {{ text }}, -- city
    state {{ text }}, -- state
    country {{ text }}, -- country
    ip {{ text }}, -- address the lead signed up from
    ip_country {{ text }}, -- its country, by name
    website {{ text }}, -- URL
    facebook {{ text }}, -- URL
    twitter {{ text }}, -- URL
    linkedin {{ text }}, -- URL
    lead_picture {{ text }}, -- URL
    lead_preferred_time_zone {{ text }}, -- time zone the lead chose
    sales_tax_id {{ text }}, -- tax number
    business_type {{ text }}, -- Kartra's code of the kind of business
    username {{ text }}, -- user name within Kartra
    source {{ name }}, -- how the lead came: single-optin, checkout, import, api, ...
    source_id {{ id }}, -- Kartra's internal number of that
    referring_id {{ id }}, -- who referred the lead
    score {{ integer }}, -- points
    notes {{ text }}, -- notes in the profile
    blacklisted {{ integer }}, -- 1: no e-mail is delivered
    gdpr_lead_status {{ integer }}, -- 0 off, 1 not subject, 2 accepted, 3 not accepted, 4 unknown location, 5 pending
    gdpr_lead_status_date {{ text }}, -- when, by the clock of Kartra
    gdpr_lead_status_date_utc {{ utc }}, -- the same in UTC
    gdpr_lead_status_ip {{ text }}, -- from which address
    gdpr_lead_communications {{ integer }}, -- as sent: sources contradict each other on what 0 and 1 mean
    date_joined {{ text }}, -- by the clock of Kartra
    date_joined_utc {{ utc }}, -- the same in UTC
    lead_deleted {{ integer }}, -- as sent, where it is sent
    lead_deleted_date {{ text }}, -- as sent, where it is sent
    lead_deleted_date_utc {{ utc }}, -- the same in UTC
    first_pulled_at {{ utc }} NOT NULL, -- when a pull saw the lead first
    pulled_at {{ utc }} NOT NULL, -- when a pull saw the lead last
    gone_at {{ utc }}, -- when a pull was told that the lead is deleted; the last profile stays
    extra {{ json }}, -- what Kartra sent beyond the columns of all lead tables, surveys among it
    PRIMARY KEY (id)
) {{ options }};

CREATE TABLE IF NOT EXISTS lead_tags (
    lead_id {{ id }} NOT NULL, -- of leads
    tag_name {{ name }} NOT NULL, -- a tag the lead has
    extra {{ json }}, -- what Kartra sent beyond these columns
    PRIMARY KEY (lead_id, tag_name)
) {{ options }};
CREATE INDEX {{ if_not_exists }} lead_tags_by_name ON lead_tags (tag_name);

CREATE TABLE IF NOT EXISTS lead_lists (
    lead_id {{ id }} NOT NULL, -- of leads
    list_name {{ name }} NOT NULL, -- a list the lead is or was on
    active {{ integer }}, -- 1 subscribed, 0 left
    extra {{ json }}, -- what Kartra sent beyond these columns
    PRIMARY KEY (lead_id, list_name)
) {{ options }};
CREATE INDEX {{ if_not_exists }} lead_lists_by_name ON lead_lists (list_name);

CREATE TABLE IF NOT EXISTS lead_sequences (
    lead_id {{ id }} NOT NULL, -- of leads
    sequence_name {{ name }} NOT NULL, -- a sequence the lead is or was in
    step {{ text }}, -- the step the lead is at
    status {{ text }}, -- active or unsubscribed
    extra {{ json }}, -- what Kartra sent beyond these columns
    PRIMARY KEY (lead_id, sequence_name)
) {{ options }};

CREATE TABLE IF NOT EXISTS lead_memberships (
    lead_id {{ id }} NOT NULL, -- of leads
    name {{ name }} NOT NULL, -- a membership
    level_name {{ name }} NOT NULL, -- its level; access is per level
    active {{ integer }}, -- 1 granted, 0 revoked
    extra {{ json }}, -- what Kartra sent beyond these columns
    PRIMARY KEY (lead_id, name, level_name)
) {{ options }};

CREATE TABLE IF NOT EXISTS lead_custom_fields (
    lead_id {{ id }} NOT NULL, -- of leads
    field_identifier {{ name }} NOT NULL, -- of custom_fields
    option_id {{ id }} NOT NULL, -- of the chosen option, a row for each; empty text for a field without options
    field_id {{ id }}, -- Kartra's number of the field
    field_type {{ name }}, -- as in custom_fields
    field_value {{ text }}, -- the text, or the label of the option. A field without a value has no row
    extra {{ json }}, -- what Kartra sent beyond these columns
    PRIMARY KEY (lead_id, field_identifier, option_id)
) {{ options }};
CREATE INDEX {{ if_not_exists }} lead_custom_fields_by_identifier ON lead_custom_fields (field_identifier);

-- What one pull saw otherwise than the one before. A lead that joined after the very first pull began has its
-- tags and lists here from the start; one that was there before has not.
CREATE TABLE IF NOT EXISTS lead_changes (
    lead_id {{ id }} NOT NULL, -- of leads
    pull_id {{ id }} NOT NULL, -- of pull_runs
    kind {{ name }} NOT NULL, -- lead, field, tag, list, sequence, membership, custom_field or subscription
    field {{ name }} NOT NULL, -- of the lead; else the name of the tag, list ..., or the subscription_id
    old_value {{ text }}, -- NULL: was not there. Tags: 1. Lists and memberships: 1 or 0. Sequences: status
    new_value {{ text }}, -- NULL: is not there any more
    seen_at {{ utc }} NOT NULL, -- when the pull saw it; it happened between the pull before and this
    PRIMARY KEY (lead_id, pull_id, kind, field)
) {{ options }};
CREATE INDEX {{ if_not_exists }} lead_changes_by_kind ON lead_changes (kind, field);
