// Package attack holds the proofs that the HTTP side gives nothing to those who
// attack it: its tests are written from outside, against the handler that serves,
// on a real listener and a real Postgres.
package attack
