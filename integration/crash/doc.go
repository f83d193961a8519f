// Package crash kills processes of the whole stack with SIGKILL while the
// source systems change, starts them again, and wants agreement at the end
// (P2): every row of every source in silver, once, with its values.
package crash
