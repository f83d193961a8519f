-- by month
SELECT toDate(toStartOfMonth(assumeNotNull(i.inspected_at))) AS month, 'construction_inspection' AS trace_dataset, i._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['inspections', 'violations', 'serious', 'fines'],
        [1, ifNull(toUInt8(i.violation), 0), ifNull(i.result = 'serious', 0), i.fine IS NOT NULL]) AS trace_figures
FROM silver.v_construction_inspection AS i
WHERE i.inspected_at IS NOT NULL
