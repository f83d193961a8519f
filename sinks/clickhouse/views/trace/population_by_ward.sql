-- by ward_code
-- ward_name = citizens, ward_name
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('population_citizen', 'population_ward')) AS today
SELECT c.ward_code AS ward_code, 'population_citizen' AS trace_dataset, c._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['citizens', 'male', 'female', 'under_6', 'aged_60_up'],
        [1, ifNull(c.sex = 'male', 0), ifNull(c.sex = 'female', 0), ifNull(age('year', assumeNotNull(c.birth_date), today) < 6, 0), ifNull(age('year', assumeNotNull(c.birth_date), today) >= 60, 0)]) AS trace_figures
FROM silver.v_population_citizen AS c
WHERE c.status = 'alive'
UNION ALL
SELECT code, trace_dataset, trace_record, 'joined', ['ward_name'] FROM trace.ward
