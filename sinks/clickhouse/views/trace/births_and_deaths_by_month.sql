-- by month
SELECT toDate(toStartOfMonth(assumeNotNull(birth_date))) AS month, 'population_birth' AS trace_dataset, _record AS trace_record, 'counted' AS trace_part, ['births', 'natural_increase'] AS trace_figures
FROM silver.v_population_birth
WHERE birth_date IS NOT NULL
UNION ALL
SELECT toDate(toStartOfMonth(assumeNotNull(died_on))), 'population_death', _record, 'counted', ['deaths', 'natural_increase']
FROM silver.v_population_death
WHERE died_on IS NOT NULL
