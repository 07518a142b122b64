package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

func (a *app) eventCommand() *cobra.Command {
	var email, phone, external, contact, id, code, file string
	var consents []string
	send := &cobra.Command{Use: "send TYPE [NAME=VALUE …]", Short: "Send an event", Example: "  scrip event send review.approved review_id=7 --email anna@example.com\n  scrip event send --file events.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := eventBody(args, file, map[string]string{"email": email, "phone": phone, "external_id": external, "id": contact}, id, code)
			if err != nil {
				return err
			}
			if err := withConsents(body, consents); err != nil {
				return err
			}
			return show(cmd.Context(), a, request{method: "POST", path: "/v1/events", body: body}, func(w io.Writer, sent struct{ Accepted, Duplicates int64 }) {
				fmt.Fprintf(w, "%s accepted", count(sent.Accepted, "event"))
				if sent.Duplicates > 0 {
					fmt.Fprintf(w, ", %d had come before", sent.Duplicates)
				}
				fmt.Fprintln(w, ".")
			})
		}}
	flags := send.Flags()
	flags.StringVar(&email, "email", "", "whose event it is, by e-mail address")
	flags.StringVar(&phone, "phone", "", "… by phone number in international form")
	flags.StringVar(&external, "external-id", "", "… by your own id")
	flags.StringVar(&contact, "contact", "", "… by Scrip's id")
	flags.StringSliceVar(&consents, "consent", nil, "channels that the event's sender was allowed to use: email, sms")
	flags.StringVar(&id, "id", "", "the event's id: the same is taken once")
	flags.StringVar(&code, "code", "", "for code.* events: the code")
	flags.StringVar(&file, "file", "", "send an event, or an array of them, as it stands in a JSON file")
	return parent("event", "Send events", send)
}

func eventBody(args []string, file string, contact map[string]string, id, code string) (any, error) {
	if file != "" {
		if len(args) > 0 {
			return nil, usage("name a type or --file, not both")
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the events: %w", err)
		}
		if !json.Valid(text) {
			return nil, usage("%s is not JSON; write one event as an object, or several as an array", file)
		}
		return json.RawMessage(text), nil
	}
	if len(args) == 0 {
		return nil, usage("name the event's type, such as order.paid; see `scrip event send --help`")
	}
	for _, text := range slices.Concat(args, []string{id, code}, slices.Collect(maps.Values(contact))) {
		if !utf8.ValidString(text) {
			return nil, usage("%q is not UTF-8, and would arrive as something else", text)
		}
	}
	fields := map[string]any{}
	for _, arg := range args[1:] {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, usage("%q is not NAME=VALUE", arg)
		}
		fields[name] = fieldValue(value)
	}
	body := map[string]any{"type": args[0], "fields": fields}
	person := map[string]any{}
	for key, value := range contact {
		if value != "" {
			person[key] = value
		}
	}
	if len(person) > 0 {
		body["contact"] = person
	}
	if id != "" {
		body["id"] = id
	}
	if code != "" {
		body["code"] = code
	}
	return body, nil
}

// withConsents adds to an event's contact what that person allowed.
func withConsents(body any, channels []string) error {
	if len(channels) == 0 {
		return nil
	}
	sent, _ := body.(map[string]any)
	person, ok := sent["contact"].(map[string]any)
	if !ok {
		return usage("--consent needs somebody who gave it; name the contact with --email, --phone, --external-id or --contact")
	}
	consent := map[string]bool{}
	for _, channel := range channels {
		consent[channel] = true
	}
	person["consent"] = consent
	return nil
}

// plainNumber is a number that is written as one: with a leading zero or plus it is
// an id or a phone number, with an exponent a name such as 1e5.
var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// exactDigits is how many digits a JSON number keeps as they are.
const exactDigits = 15

// fieldValue reads numbers, true and false as such; everything else is text, and so
// is a number with more digits than would arrive.
func fieldValue(text string) any {
	switch text {
	case "true":
		return true
	case "false":
		return false
	}
	if plainNumber.MatchString(text) && len(strings.Trim(text, "-")) <= exactDigits {
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
	}
	return text
}
