-- by ward_code, ward_since
-- ward_name = births, ward_name
SELECT b.ward_code AS ward_code, if(w.name IS NULL OR w.valid_to < ifNull(toDate32(b.registered_at), toDate32(0)), NULL, w.since) AS ward_since, 'population_birth' AS trace_dataset, b._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['births', 'without_record', 'late'],
        [1, b.citizen_id IS NULL, ifNull(toDate(b.registered_at) > addDays(b.birth_date, 60), 0)]) AS trace_figures
FROM silver.v_population_birth AS b
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = b.ward_code AND w.since <= ifNull(toDate32(b.registered_at), toDate32(0))
UNION ALL
SELECT code, valid_from, 'population_ward', _record, 'joined', ['ward_name', 'births', 'without_record', 'late'] FROM silver.v_population_ward
