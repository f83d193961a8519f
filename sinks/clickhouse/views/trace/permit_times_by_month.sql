-- by month
SELECT toDate(toStartOfMonth(assumeNotNull(p.issued_on))) AS month, 'construction_permit' AS trace_dataset, p._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['issued', 'median_days', 'over_15_days'],
        [1, 1, dateDiff('day', assumeNotNull(p.applied_on), assumeNotNull(p.issued_on)) > 15]) AS trace_figures
FROM silver.v_construction_permit AS p
WHERE p.issued_on IS NOT NULL AND p.applied_on IS NOT NULL
