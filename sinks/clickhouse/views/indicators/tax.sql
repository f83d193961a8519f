SELECT
    'tax.collected_this_month' AS code,
    'Thuế đã thu trong tháng' AS name_vi,
    'Tax collected this month' AS name_en,
    'đồng' AS unit,
    toNullable(toFloat64(sum(collected))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('tax_tax_payment')) AS as_of,
    ['tax_tax_payment'] AS sources
FROM gold.tax_collected_by_month
WHERE month = (SELECT toDate(toStartOfMonth(minOrNull(as_of))) FROM ops.as_of WHERE dataset IN ('tax_tax_payment'))
UNION ALL
SELECT
    'tax.overdue' AS code,
    'Nợ thuế quá hạn' AS name_vi,
    'Overdue tax' AS name_en,
    'đồng' AS unit,
    toNullable(toFloat64(sum(overdue))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('tax_taxpayer', 'tax_declaration', 'tax_tax_payment')) AS as_of,
    ['tax_taxpayer', 'tax_declaration', 'tax_tax_payment'] AS sources
FROM gold.tax_debt_by_taxpayer
UNION ALL
SELECT
    'tax.on_time_share' AS code,
    'Tỷ lệ tờ khai nộp đúng hạn' AS name_vi,
    'Share of declarations handed in on time' AS name_en,
    'tỷ lệ' AS unit,
    toNullable(toFloat64(sum(on_time)) / nullIf(toFloat64(sum(declarations)), 0)) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('tax_declaration')) AS as_of,
    ['tax_declaration'] AS sources
FROM gold.tax_by_kind
