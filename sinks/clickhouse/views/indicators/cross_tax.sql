SELECT
    'citizens.permits_of_debtors' AS code,
    'Giấy phép xây dựng của người nợ thuế' AS name_vi,
    'Building permits whose owner has overdue tax' AS name_en,
    'giấy phép' AS unit,
    toNullable(toFloat64(count())) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('construction_permit', 'tax_declaration', 'identity_link')) AS as_of,
    ['construction_permit', 'tax_declaration', 'identity_link'] AS sources
FROM gold.permits_of_tax_debtors
UNION ALL
SELECT
    'citizens.near_poor_in_business' AS code,
    'Hộ nghèo, cận nghèo nộp thuế hộ kinh doanh' AS name_vi,
    'Poor and near-poor households paying business tax' AS name_en,
    'hộ' AS unit,
    toNullable(toFloat64(count())) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_household', 'tax_tax_payment', 'identity_link')) AS as_of,
    ['welfare_household', 'tax_tax_payment', 'identity_link'] AS sources
FROM gold.near_poor_households_in_business
