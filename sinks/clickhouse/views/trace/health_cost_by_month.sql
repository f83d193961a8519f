-- by month
-- insured_share = cost, insured_paid
SELECT toDate(toStartOfMonth(assumeNotNull(e.admitted_at))) AS month, 'health_encounter' AS trace_dataset, e._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['encounters', 'patients', 'cost', 'insured_paid'], [1, 1, e.cost IS NOT NULL, e.insured_paid IS NOT NULL]) AS trace_figures
FROM silver.v_health_encounter AS e
WHERE e.admitted_at IS NOT NULL
