package secrets_test

import (
	"context"
	"fmt"
	"os"
)

func (w *world) dump() {
	_ = os.WriteFile("/tmp/secrets-proof.log", w.logs.text(), 0o600)
	_ = os.WriteFile("/tmp/secrets-answers.log", w.answers.text(), 0o600)
	if !w.Failed() {
		return
	}
	for _, q := range []string{"select row(c.*)::text from consent c where state<>'granted'", "select row(s.reason, channel)::text from suppression s", "select row(d.*)::text from dead_letter d", "select row(d.topic,d.connection)::text from delivery d where connection='sms'", "select contact_id||' '||channel||' '||state||' '||reason||detail from message"} {
		rows, err := w.store.Pool.Query(context.Background(), q)
		if err != nil {
			fmt.Println(err)
			continue
		}
		for rows.Next() {
			var s *string
			_ = rows.Scan(&s)
			if s != nil {
				fmt.Println(q[:20], *s)
			}
		}
	}
}
