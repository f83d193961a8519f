-- by icd10
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('health_encounter')) AS today
SELECT substring(assumeNotNull(e.icd10), 1, 3) AS icd10, 'health_encounter' AS trace_dataset, e._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['encounters', 'patients', 'admissions'], [1, 1, ifNull(e.kind = 'inpatient', 0)]) AS trace_figures
FROM silver.v_health_encounter AS e
WHERE e.icd10 IS NOT NULL AND e.admitted_at >= toStartOfMonth(today)
