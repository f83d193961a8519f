SELECT
    'citizens.insured_share' AS code,
    'Tỷ lệ dân số có bảo hiểm y tế' AS name_vi,
    'Share of the population with health insurance' AS name_en,
    'tỷ lệ' AS unit,
    toNullable(toFloat64(sum(insured)) / nullIf(toFloat64(sum(citizens)), 0)) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('population_citizen', 'health_insurance_card', 'identity_link')) AS as_of,
    ['population_citizen', 'health_insurance_card', 'identity_link'] AS sources
FROM gold.insured_share_by_ward
UNION ALL
SELECT
    'citizens.children_without_record' AS code,
    'Trẻ dưới 6 tuổi đã khám bệnh chưa có hồ sơ dân cư' AS name_vi,
    'Children under 6 known to health without a civil record' AS name_en,
    'trẻ' AS unit,
    toNullable(toFloat64(sum(without_record))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('health_patient', 'identity_link')) AS as_of,
    ['health_patient', 'identity_link'] AS sources
FROM gold.children_without_civil_record_by_ward
