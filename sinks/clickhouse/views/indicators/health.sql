SELECT
    'health.encounters_this_month' AS code,
    'Lượt khám, chữa bệnh trong tháng' AS name_vi,
    'Encounters this month' AS name_en,
    'lượt' AS unit,
    toNullable(toFloat64(sum(encounters))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('health_encounter')) AS as_of,
    ['health_encounter'] AS sources
FROM gold.health_cost_by_month
WHERE month = (SELECT toDate(toStartOfMonth(minOrNull(as_of))) FROM ops.as_of WHERE dataset IN ('health_encounter'))
UNION ALL
SELECT
    'health.inpatients_now' AS code,
    'Người bệnh đang nằm viện' AS name_vi,
    'Inpatients now' AS name_en,
    'người' AS unit,
    toNullable(toFloat64(sum(staying))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('health_facility', 'health_encounter')) AS as_of,
    ['health_facility', 'health_encounter'] AS sources
FROM gold.health_facilities
UNION ALL
SELECT
    'health.insured_cost_share' AS code,
    'Tỷ lệ chi phí do bảo hiểm y tế chi trả trong tháng' AS name_vi,
    'Share of this month\'s cost paid by health insurance' AS name_en,
    'tỷ lệ' AS unit,
    toNullable(toFloat64(sum(insured_paid)) / nullIf(toFloat64(sum(cost)), 0)) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('health_encounter')) AS as_of,
    ['health_encounter'] AS sources
FROM gold.health_cost_by_month
WHERE month = (SELECT toDate(toStartOfMonth(minOrNull(as_of))) FROM ops.as_of WHERE dataset IN ('health_encounter'))
