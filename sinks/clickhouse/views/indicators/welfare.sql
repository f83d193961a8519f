SELECT
    'welfare.poor_households' AS code,
    'Hộ nghèo' AS name_vi,
    'Poor households' AS name_en,
    'hộ' AS unit,
    toNullable(toFloat64(sum(poor))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_household')) AS as_of,
    ['welfare_household'] AS sources
FROM gold.poverty_by_ward
UNION ALL
SELECT
    'welfare.near_poor_households' AS code,
    'Hộ cận nghèo' AS name_vi,
    'Near-poor households' AS name_en,
    'hộ' AS unit,
    toNullable(toFloat64(sum(near_poor))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_household')) AS as_of,
    ['welfare_household'] AS sources
FROM gold.poverty_by_ward
UNION ALL
SELECT
    'welfare.beneficiaries' AS code,
    'Đối tượng đang hưởng trợ cấp' AS name_vi,
    'Active beneficiaries' AS name_en,
    'người' AS unit,
    toNullable(toFloat64(sum(active))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_beneficiary')) AS as_of,
    ['welfare_beneficiary'] AS sources
FROM gold.welfare_by_programme
UNION ALL
SELECT
    'welfare.paid_this_month' AS code,
    'Trợ cấp đã chi cho tháng này' AS name_vi,
    'Welfare paid for this month' AS name_en,
    'đồng' AS unit,
    toNullable(toFloat64(sum(paid_this_month))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_beneficiary', 'welfare_payment')) AS as_of,
    ['welfare_beneficiary', 'welfare_payment'] AS sources
FROM gold.welfare_by_programme
UNION ALL
SELECT
    'welfare.funds_spent_share' AS code,
    'Tỷ lệ sử dụng nguồn lực an sinh' AS name_vi,
    'Share of the welfare funds spent' AS name_en,
    'tỷ lệ' AS unit,
    toNullable(toFloat64(sum(spent)) / nullIf(toFloat64(sum(allocated)), 0)) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_fund')) AS as_of,
    ['welfare_fund'] AS sources
FROM gold.welfare_funds
