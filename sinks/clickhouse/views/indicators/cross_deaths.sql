SELECT
    'citizens.welfare_paid_to_dead' AS code,
    'Trợ cấp đã chi cho người đã mất' AS name_vi,
    'Welfare paid to people registered as dead' AS name_en,
    'đồng' AS unit,
    toNullable(toFloat64(sum(amount))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_payment', 'population_death', 'identity_link')) AS as_of,
    ['welfare_payment', 'population_death', 'identity_link'] AS sources
FROM gold.welfare_paid_to_dead
