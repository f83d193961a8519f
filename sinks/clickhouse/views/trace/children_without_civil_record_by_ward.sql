-- by ward_code
-- ward_name = children, ward_name
-- share = children, without_record
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('health_patient', 'population_citizen', 'identity_link')) AS today
SELECT p.ward_code AS ward_code, 'health_patient' AS trace_dataset, p._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['children', 'without_record'], [1, p.citizen IS NULL]) AS trace_figures
FROM silver.v_health_patient AS p
WHERE p.birth_date IS NOT NULL AND age('year', assumeNotNull(p.birth_date), today) < 6
UNION ALL
SELECT code, trace_dataset, trace_record, 'joined', ['ward_name'] FROM trace.ward
