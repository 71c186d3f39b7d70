-- Texts that are longer than a name: the lookup of a long address, and a membership with its level. Only MySQL and
-- MariaDB bound them, and what an index of theirs holds is bounded too.
{% if dialect in ("mysql", "mariadb") %}
ALTER TABLE lead_roster MODIFY lookup varchar(320) NOT NULL
    COMMENT 'how Kartra is asked: id:<number> or email:<address>';
ALTER TABLE lead_changes
    MODIFY kind varchar(64) NOT NULL
        COMMENT 'lead, field, tag, list, sequence, membership, custom_field or subscription',
    MODIFY field varchar(520) NOT NULL
        COMMENT 'of the lead; else the name of the tag, list ..., or the subscription_id';
{% endif %}
