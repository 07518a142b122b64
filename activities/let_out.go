package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"strings"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/integrations"
	"scrip.dev/scrip/store"
)

// letOut records that the journey's codes that stand in a text are seen from now
// on, whoever it goes to: a template may print any of them, and none of those may
// go back to the pool. besides is the code that the message is known to carry.
func (a *Activities) letOut(ctx context.Context, q store.Querier, s *scene, besides int64, text string) error {
	codes, err := a.codes(ctx, s)
	if err != nil {
		return err
	}
	text = event.NormaliseCode(text)
	for _, c := range codes {
		code := event.NormaliseCode(c.Code)
		if c.ID == besides || !strings.Contains(text, code) && !strings.Contains(text, html.EscapeString(code)) {
			continue
		}
		if err := a.Store.Expose(ctx, q, c.ID); err != nil && !errors.Is(err, store.ErrUnusable) {
			return err
		}
	}
	return nil
}

// textOf is all that a message says.
func textOf(m integrations.Message) string {
	data, _ := json.Marshal(m.Data) // plain values: it can't fail
	return strings.Join([]string{m.Subject, m.Text, m.HTML, string(data)}, "\n")
}

// textOfCall is all that another system is told by a call.
func textOfCall(path string, body any) string { return fmt.Sprint(path, "\n", body) }
