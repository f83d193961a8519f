SELECT
    'identity.linked_share' AS code,
    'Tỷ lệ bản ghi đã liên kết với dân cư' AS name_vi,
    'Share of records linked to the population register' AS name_en,
    'tỷ lệ' AS unit,
    toNullable(toFloat64(sum(linked)) / nullIf(toFloat64(sum(records)), 0)) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('identity_link')) AS as_of,
    ['identity_link'] AS sources
FROM gold.records_linked
