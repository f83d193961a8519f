// Package seal encrypts the values of vault topics (P11): whoever reads the
// brokers' disks, a backup of them or the topics themselves has the keys of the
// records and no more.
//
// A sealed value is the byte 1, the key's version, and AES-256-GCM's nonce,
// ciphertext and tag. Confluent's wire format begins with 0, so a value that was
// written before there was a key is still told, and read. The topic and the
// message's key are authenticated with it: a value that was moved to another
// record is refused.
//
// What belongs here: sealing and opening. What never does: where keys are kept,
// what a value says, I/O. The package is pure but for the nonces, which are
// random.
package seal
