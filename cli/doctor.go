package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"scrip.dev/scrip/codec"
	"scrip.dev/scrip/config"
	"scrip.dev/scrip/starter"
	"scrip.dev/scrip/store"
	"scrip.dev/scrip/worker"
)

// finding is one thing that was looked at.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

type findings struct {
	Checks []finding `json:"checks"`
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{Use: "doctor", Short: "Check everything that Scrip needs, and say what to do", Args: noArgs,
		Long: "Asks the running system; where none answers, looks at the settings, the database and\nTemporal from here.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := a.call(cmd.Context(), request{method: "POST", path: "/v1/doctor"})
			var away *unreachableError
			_, keyless := a.key()
			switch {
			case err == nil:
			case keyless != nil, errors.As(err, &away):
				found := append([]finding{{"scrip", false, err.Error()}}, a.examine(cmd.Context())...)
				if answer, err = json.Marshal(findings{found}); err != nil {
					return fmt.Errorf("joining the findings: %w", err)
				}
			default:
				return err
			}
			wrong := 0
			err = print(a, answer, func(w io.Writer, all findings) {
				for _, one := range all.Checks {
					mark := "ok  "
					if !one.OK {
						mark = "FAIL"
					}
					fmt.Fprintf(w, "%s  %s: %s\n", mark, one.Name, one.Detail)
				}
			})
			var all findings
			if decodeErr := json.Unmarshal(answer, &all); err == nil && decodeErr == nil {
				for _, one := range all.Checks {
					if !one.OK {
						wrong++
					}
				}
			}
			if err == nil && wrong > 0 {
				err = fmt.Errorf("%s to mend", count(int64(wrong), "thing"))
			}
			return err
		}}
}

// examineTimeout bounds each look from here.
const examineTimeout = 5 * time.Second

// examine looks at what a starter would need, from here.
func (a *app) examine(ctx context.Context) []finding {
	c, err := config.Load(a.project, a.env)
	found := []finding{outcome("settings", err, config.File+" is right")}
	if err == nil {
		_, err = c.Open(time.Now)
		found = append(found, outcome("connections", err, "their settings are complete"))
		payloads, err := c.PayloadCodec()
		found = append(found, outcome("payload keys", err, encrypts(payloads)))
	} else if c == nil {
		return found
	}
	return append(found, a.examineDatabase(ctx, c), a.examineTemporal(ctx))
}

func (a *app) examineDatabase(ctx context.Context, c *config.Config) finding {
	ctx, cancel := context.WithTimeout(ctx, examineTimeout)
	defer cancel()
	var s *store.Store
	s, err := a.openStore(ctx, c)
	if err == nil {
		s.Close()
	}
	return outcome("database", err, "answers")
}

func (a *app) examineTemporal(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, examineTimeout)
	defer cancel()
	c, err := worker.Dial("", codec.New(), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return outcome("temporal", err, "")
	}
	defer c.Close()
	if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return finding{"temporal", false, "does not answer; check TEMPORAL_ADDRESS and that the server runs"}
	}
	missing, err := starter.MissingSearchAttributes(ctx, c)
	if err == nil && len(missing) > 0 {
		return finding{"temporal", false, "lacks search attributes; make them with: " + joined(missing)}
	}
	return finding{"temporal", true, "answers"}
}

func encrypts(payloads *codec.Codec) string {
	if payloads.On() {
		return "what Temporal keeps is encrypted"
	}
	return "none: what Temporal keeps is in clear text, which holds ids only"
}

func outcome(name string, err error, fine string) finding {
	if err != nil {
		return finding{name, false, err.Error()}
	}
	return finding{name, true, fine}
}
