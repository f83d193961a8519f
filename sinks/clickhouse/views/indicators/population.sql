SELECT
    'population.residents' AS code,
    'Dân số đang cư trú' AS name_vi,
    'Resident population' AS name_en,
    'người' AS unit,
    toNullable(toFloat64(sum(citizens))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('population_citizen')) AS as_of,
    ['population_citizen'] AS sources
FROM gold.population_by_ward
UNION ALL
SELECT
    'population.births_this_month' AS code,
    'Trẻ sinh trong tháng' AS name_vi,
    'Births this month' AS name_en,
    'trẻ' AS unit,
    toNullable(toFloat64(sum(births))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('population_birth')) AS as_of,
    ['population_birth'] AS sources
FROM gold.births_and_deaths_by_month
WHERE month = (SELECT toDate(toStartOfMonth(minOrNull(as_of))) FROM ops.as_of WHERE dataset IN ('population_birth'))
UNION ALL
SELECT
    'population.deaths_this_month' AS code,
    'Người mất trong tháng' AS name_vi,
    'Deaths this month' AS name_en,
    'người' AS unit,
    toNullable(toFloat64(sum(deaths))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('population_death')) AS as_of,
    ['population_death'] AS sources
FROM gold.births_and_deaths_by_month
WHERE month = (SELECT toDate(toStartOfMonth(minOrNull(as_of))) FROM ops.as_of WHERE dataset IN ('population_death'))
UNION ALL
SELECT
    'population.births_without_record' AS code,
    'Trẻ đã khai sinh chưa có hồ sơ dân cư' AS name_vi,
    'Registered births without a record in the register' AS name_en,
    'trẻ' AS unit,
    toNullable(toFloat64(sum(without_record))) AS value,
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('population_birth')) AS as_of,
    ['population_birth'] AS sources
FROM gold.births_not_in_register_by_ward
