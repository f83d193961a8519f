-- by ward_code
-- ward_name = births, ward_name
SELECT b.ward_code AS ward_code, 'population_birth' AS trace_dataset, b._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['births', 'without_record', 'late'],
        [1, b.citizen_id IS NULL, ifNull(toDate(b.registered_at) > addDays(b.birth_date, 60), 0)]) AS trace_figures
FROM silver.v_population_birth AS b
UNION ALL
SELECT code, trace_dataset, trace_record, 'joined', ['ward_name'] FROM trace.ward
