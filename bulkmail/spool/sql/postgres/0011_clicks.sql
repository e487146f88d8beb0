-- Version 11: clicks, by campaign and link, never by person. `variant`: of the message that the link stood in, or "".
-- `label`: the link as its template has it; rows with no clicks keep the labels.
CREATE TABLE click (
    campaign_id bigint NOT NULL,
    link text NOT NULL,
    variant text NOT NULL,
    label text NOT NULL,
    people bigint NOT NULL,
    scanners bigint NOT NULL,
    PRIMARY KEY (campaign_id, link, variant)
);
