WITH ['s.y:2', 's.y:3', 's.y:4'] AS records, [toUInt128('79228162933023905448990867458'), toUInt128('79228162933023905448990867461'), toUInt128('79228162933023905448990867463')] AS versions
SELECT _record,
    argMaxIf(tuple(`notes`), _version, _version >= began AND _is_deleted = 0 AND NOT has(_unchanged, 'notes')).1, toUInt8(countIf(_version >= began AND _is_deleted = 0 AND NOT has(_unchanged, 'notes')) > 0),
    argMaxIf(tuple(`tags`), _version, _version >= began AND _is_deleted = 0 AND NOT has(_unchanged, 'tags')).1, toUInt8(if(countIf(_version >= began AND _is_deleted = 0 AND NOT has(_unchanged, 'tags')) = 0, 0, if(argMaxIf(has(_arrays, 'tags'), _version, _version >= began AND _is_deleted = 0 AND NOT has(_unchanged, 'tags')), 1, 2)))
FROM
(
    SELECT _record, _version, _is_deleted, _unchanged, _arrays, `notes`, `tags`,
        max(if(_op = 'u', toUInt128(0), _version)) OVER (PARTITION BY _record) AS began
    FROM `bronze`.`x_y`
    WHERE _source = 's' AND `id` IN (2, 3, 4)
        AND _record IN ('s.y:2', 's.y:3', 's.y:4') AND _version < versions[indexOf(records, _record)]
)
GROUP BY _record
