CREATE OR REPLACE VIEW gold.births_and_deaths_by_month
(
    month Date COMMENT 'Tháng — Month',
    births UInt64 COMMENT 'Số trẻ sinh — Births',
    deaths UInt64 COMMENT 'Số người mất — Deaths',
    natural_increase Int64 COMMENT 'Tăng tự nhiên — Natural increase',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('population_birth', 'population_death')) AS fresh,
    toDate(fresh) AS today
SELECT month, sum(born) AS births, sum(died) AS deaths, toInt64(births) - toInt64(deaths) AS natural_increase, any(fresh) AS as_of
FROM
(
    SELECT toDate(toStartOfMonth(assumeNotNull(birth_date))) AS month, 1 AS born, 0 AS died FROM silver.v_population_birth WHERE birth_date IS NOT NULL
    UNION ALL
    SELECT toDate(toStartOfMonth(assumeNotNull(died_on))) AS month, 0 AS born, 1 AS died FROM silver.v_population_death WHERE died_on IS NOT NULL
)
GROUP BY month
COMMENT 'Sinh, tử và tăng tự nhiên theo tháng xảy ra — Births, deaths and natural increase by the month in which they happened'
