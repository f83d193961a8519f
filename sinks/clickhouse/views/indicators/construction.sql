SELECT
    'construction.issued_this_month' AS code,
    'Giấy phép xây dựng cấp trong tháng' AS name_vi,
    'Building permits issued this month' AS name_en,
    'giấy phép' AS unit,
    toNullable(toFloat64(sum(issued))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('construction_permit')) AS as_of,
    ['construction_permit'] AS sources
FROM gold.permit_times_by_month
WHERE month = (SELECT toDate(toStartOfMonth(minOrNull(as_of))) FROM ops.as_of WHERE dataset IN ('construction_permit'))
UNION ALL
SELECT
    'construction.pending' AS code,
    'Hồ sơ cấp phép đang chờ' AS name_vi,
    'Applications pending' AS name_en,
    'hồ sơ' AS unit,
    toNullable(toFloat64(sum(pending))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('construction_permit')) AS as_of,
    ['construction_permit'] AS sources
FROM gold.permits_by_ward
UNION ALL
SELECT
    'construction.violation_share' AS code,
    'Tỷ lệ kiểm tra có vi phạm' AS name_vi,
    'Share of inspections with a violation' AS name_en,
    'tỷ lệ' AS unit,
    toNullable(toFloat64(sum(violations)) / nullIf(toFloat64(sum(inspections)), 0)) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('construction_inspection')) AS as_of,
    ['construction_inspection'] AS sources
FROM gold.inspections_by_month
