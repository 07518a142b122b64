package cli

import (
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/store"
)

func (a *app) whyCommand() *cobra.Command {
	return &cobra.Command{Use: "why CONTACT [CAMPAIGN]", Short: "Say why a contact did or didn't enter, and what was not sent",
		Long: "CONTACT is Scrip's id, an e-mail address, a phone number or an outside id.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usage("%s needs a contact, and may name a campaign; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			contact, err := a.findContact(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			query := url.Values{"contact": {contact}}
			if len(args) == 2 {
				query.Set("campaign", args[1])
			}
			return show(cmd.Context(), a, request{method: "GET", path: "/v1/why", query: query}, func(w io.Writer, why struct {
				Explanations []store.Explanation `json:"explanations"`
			}) {
				if len(why.Explanations) == 0 {
					fmt.Fprintln(w, "There is no campaign yet: write one, then `scrip apply`.")
				}
				for _, e := range why.Explanations {
					fmt.Fprintf(w, "%s: %s.", e.Campaign, e.Sentence)
					if e.Journey != "" {
						fmt.Fprintf(w, " [%s]", e.Journey)
					}
					if !e.At.IsZero() {
						fmt.Fprintf(w, " (%s)", moment(e.At))
					}
					fmt.Fprintln(w)
				}
			})
		}}
}
