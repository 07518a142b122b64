package starter

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

// BenchmarkInbox compares accepting webhooks with inserting the same bodies, a row
// a transaction, at 64 clients, and reports the ratio of the rates.
func BenchmarkInbox(b *testing.B) {
	const clients, span = 64, 3 * time.Second
	url := dispatchDatabase.URL(b)
	s, err := store.Open(b.Context(), url, 8)
	require.NoError(b, err)
	b.Cleanup(s.Close)
	config, err := pgxpool.ParseConfig(url)
	require.NoError(b, err)
	config.MaxConns = clients
	raw, err := pgxpool.NewWithConfig(b.Context(), config)
	require.NoError(b, err)
	b.Cleanup(raw.Close)
	_, err = raw.Exec(b.Context(), `CREATE TABLE raw (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea)`)
	require.NoError(b, err)
	inbox := NewInbox(s, NewInboxMetrics(nil))
	b.Cleanup(inbox.Close)
	body := []byte(strings.Repeat(`{"line_items":[{"title":"Coffee","price":"9.90"}]},`, 96))

	rate := func(do func(n int64) error) float64 {
		var n atomic.Int64
		var wait sync.WaitGroup
		end := time.Now().Add(span)
		for range clients {
			wait.Go(func() {
				for time.Now().Before(end) {
					if err := do(n.Add(1)); err != nil {
						b.Errorf("storing: %v", err)
						return
					}
				}
			})
		}
		wait.Wait()
		return float64(n.Load()) / span.Seconds()
	}
	round := 0
	for b.Loop() {
		round++
		plain := rate(func(int64) error {
			_, err := raw.Exec(b.Context(), `INSERT INTO raw (body) VALUES ($1)`, body)
			return err
		})
		grouped := rate(func(n int64) error {
			_, err := inbox.Accept(b.Context(), store.Incoming{Connection: "shop", Topic: "t", Key: fmt.Sprint(round, "/", n), Body: body})
			return err
		})
		b.ReportMetric(plain, "inserts/s")
		b.ReportMetric(grouped, "accepts/s")
		b.ReportMetric(grouped/plain, "ratio")
	}
}
