// Package bench measures Scrip against what the machine, Postgres and Temporal can
// do at most: each figure takes turns with its limit, side by side in one run.
//
//	make bench                                all of it; takes hours
//	make bench FIGURE=Claim                   one figure
//	make bench ARGS='-args -window 5s'        quicker, and noisier
//
// What was measured is merged into results.json, and into the README's table.
package bench
