// Package backup saves what hopluu keeps and brings it back: ClickHouse (bronze,
// silver, ops), the schema registry, and the topics that nothing else can make
// again (the vault, what people decided, the ledger of erased people, the
// checkpoints of connectors).
//
// What belongs here: the order in which parts are saved and restored, so that
// they fit together; the manifest, the files and their encryption; what to do
// when all of Kafka is gone. What never does: how a stage keeps its state (the
// stages' packages), how ClickHouse copies its parts (BACKUP and RESTORE), and
// the configuration (cmd/hopluu).
//
// # One consistent point, while everything runs
//
// Nothing is stopped for a backup. First the offsets O are noted that bronze has
// of each partition. Then ops is copied, and after it bronze and silver. A batch
// is written to silver first and to bronze last, so silver has every record below
// O, and what ops says is settled is in both. After a restore the sink reads again
// from O: of what bronze has beyond O only silver is written again, where a row
// that is there changes nothing; the rest goes to both. So it does not matter that
// bronze and silver were copied at different times (P2).
//
// A connector's checkpoint is saved with its topic, but one that is restored
// is older than its slot, which has let the changes between go: all tables are
// read anew under a new source epoch (P6), above all that bronze has seen.
//
// The ledger of erased people that is in force wins over the backup's (P12).
package backup
