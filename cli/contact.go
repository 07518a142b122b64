package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/event"
	"scrip.dev/scrip/store"
)

func (a *app) contactCommand() *cobra.Command {
	find := &cobra.Command{Use: "find TEXT", Short: "Find a contact by e-mail address, phone number or outside id", Args: needs("an address or id"), RunE: func(cmd *cobra.Command, args []string) error {
		return show(cmd.Context(), a, request{method: "GET", path: "/v1/contacts", query: url.Values{"q": {args[0]}}}, func(w io.Writer, found struct {
			Contact string `json:"contact"`
		}) {
			fmt.Fprintln(w, found.Contact)
		})
	}}
	return parent("contact", "Look at people, import, export and erase them", find, a.contactShow(), a.contactImport(), a.contactExport(), a.contactErase(), a.contactConsent())
}

// findContact gives a contact's id; what looks like one is not looked up.
func (a *app) findContact(ctx context.Context, text string) (string, error) {
	if strings.HasPrefix(text, store.ContactID+"_") {
		return text, nil
	}
	answer, err := a.call(ctx, request{method: "GET", path: "/v1/contacts", query: url.Values{"q": {text}}})
	if err != nil {
		return "", err
	}
	var found struct {
		Contact string `json:"contact"`
	}
	if err := json.Unmarshal(answer, &found); err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	return found.Contact, nil
}

type contact struct {
	ID         string           `json:"id"`
	FirstName  string           `json:"first_name"`
	LastName   string           `json:"last_name"`
	Locale     string           `json:"locale"`
	TimeZone   string           `json:"time_zone"`
	Country    string           `json:"country"`
	Tags       []string         `json:"tags"`
	Attributes map[string]any   `json:"attributes"`
	Emails     []string         `json:"emails"`
	Phones     []string         `json:"phones"`
	Externals  []event.Identity `json:"external_ids"`
	Consents   []event.Consent  `json:"consents"`
	CreatedAt  time.Time        `json:"created_at"`
	Erased     bool             `json:"erased"`
}

func (a *app) contactShow() *cobra.Command {
	return &cobra.Command{Use: "show CONTACT", Short: "Show a contact", Args: needs("a contact"), RunE: func(cmd *cobra.Command, args []string) error {
		id, err := a.findContact(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return show(cmd.Context(), a, request{method: "GET", path: "/v1/contacts/" + url.PathEscape(id)}, func(w io.Writer, c contact) {
			var externals, consents []string
			for _, id := range c.Externals {
				externals = append(externals, id.Realm+": "+id.Value)
			}
			for _, consent := range c.Consents {
				consents = append(consents, fmt.Sprintf("%s %s since %s (%s)", consent.Channel, consent.State, moment(consent.At), consent.Source))
			}
			pairs := []string{"contact", c.ID, "name", strings.TrimSpace(c.FirstName + " " + c.LastName), "e-mail", strings.Join(c.Emails, ", "), "phone", strings.Join(c.Phones, ", "),
				"known as", strings.Join(externals, ", "), "consent", strings.Join(consents, "; "), "tags", strings.Join(c.Tags, ", "),
				"locale", c.Locale, "time zone", c.TimeZone, "country", c.Country, "since", moment(c.CreatedAt)}
			for _, name := range slices.Sorted(maps.Keys(c.Attributes)) {
				pairs = append(pairs, name, fmt.Sprint(c.Attributes[name]))
			}
			if c.Erased {
				pairs = append(pairs, "erased", "yes")
			}
			facts(w, pairs...)
		})
	}}
}

func (a *app) contactImport() *cobra.Command {
	var format, source string
	command := &cobra.Command{Use: "import FILE", Short: "Import contacts from CSV or JSON, with consents, history and suppressions", Args: needs("a file, or - for what is piped in"),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := a.open(args[0], format, map[string]string{"csv": "text/csv", "json": "application/json", "jsonl": "application/x-ndjson", "ndjson": "application/x-ndjson"})
			if err != nil {
				return err
			}
			defer file.Close()
			bar := a.progress("importing contacts", file.size)
			answer, err := a.call(cmd.Context(), request{method: "POST", path: "/v1/contacts/import", query: url.Values{"source": {source}}, upload: bar.reader(file), kind: file.kind})
			bar.end()
			if err != nil {
				return err
			}
			return print(a, answer, func(w io.Writer, report store.ContactImportReport) {
				fmt.Fprintf(w, "%s, %s of history; %s left out.\n", count(int64(report.Contacts), "contact"), count(int64(report.Events), "event"), count(int64(report.Refused), "line"))
				for _, problem := range report.Problems {
					fmt.Fprintf(w, "  line %d: %s\n", problem.Line, problem.Message)
				}
			})
		}}
	command.Flags().StringVar(&format, "format", "", "csv or json; default: by the file's name")
	command.Flags().StringVar(&source, "source", "import", "where the data is from; the realm of outside ids")
	return command
}

func (a *app) contactExport() *cobra.Command {
	return &cobra.Command{Use: "export CONTACT", Short: "Print everything that is stored about a contact, as JSON", Args: needs("a contact"), RunE: func(cmd *cobra.Command, args []string) error {
		id, err := a.findContact(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return show(cmd.Context(), a, request{method: "GET", path: "/v1/contacts/" + url.PathEscape(id) + "/export"}, func(w io.Writer, sections map[string]json.RawMessage) {
			encoder := json.NewEncoder(w)
			encoder.SetIndent("", "  ")
			_ = encoder.Encode(sections)
		})
	}}
}

func (a *app) contactErase() *cobra.Command {
	var yes bool
	command := &cobra.Command{Use: "erase CONTACT", Short: "Forget a contact; it can't be undone", Args: needs("a contact"), RunE: func(cmd *cobra.Command, args []string) error {
		id, err := a.findContact(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if !yes {
			ok, err := a.confirm(fmt.Sprintf("Forget %s for ever, and end the journeys?", id))
			if err != nil || !ok {
				return err
			}
		}
		return show(cmd.Context(), a, request{method: "POST", path: "/v1/contacts/" + url.PathEscape(id) + "/erase"}, func(w io.Writer, _ any) {
			fmt.Fprintf(w, "%s is forgotten.\n", id)
		})
	}}
	command.Flags().BoolVar(&yes, "yes", false, "don't ask")
	return command
}

func (a *app) contactConsent() *cobra.Command {
	var source string
	command := &cobra.Command{Use: "consent CONTACT CHANNEL STATE", Short: "Record what a contact allows: granted, denied or pending", Args: needs("a contact", "a channel", "a state"), RunE: func(cmd *cobra.Command, args []string) error {
		id, err := a.findContact(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		body := map[string]any{"channel": args[1], "state": args[2], "source": source}
		return show(cmd.Context(), a, request{method: "POST", path: "/v1/contacts/" + url.PathEscape(id) + "/consent", body: body}, func(w io.Writer, _ any) {
			fmt.Fprintf(w, "%s: %s is %s.\n", id, args[1], args[2])
		})
	}}
	command.Flags().StringVar(&source, "source", "scrip contact consent", "where it was given, for the record")
	return command
}
