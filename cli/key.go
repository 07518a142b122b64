package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/store"
)

type keyRow struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Prefix    string     `json:"prefix"`
	Scopes    []string   `json:"scopes"`
	CreatedAt time.Time  `json:"created_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	Secret    string     `json:"secret,omitempty"`
}

func keyRowOf(k store.APIKey, secret string) keyRow {
	return keyRow{k.ID, k.Name, k.Prefix, k.Scopes, k.CreatedAt, k.RevokedAt, secret}
}

// keyCommand works on the database itself: the first key can't be made through an
// API that asks for one.
func (a *app) keyCommand() *cobra.Command {
	var scopes []string
	create := &cobra.Command{Use: "create NAME", Short: "Create an API key; it is shown once", Args: needs("a name that says what it is for"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
				key, secret, err := s.NewKey(ctx, args[0], scopes)
				if err != nil {
					return err
				}
				if err := store.Audit(ctx, s.Pool, "cli", "key.create", key.ID, map[string]any{"scopes": key.Scopes}); err != nil {
					return err
				}
				return a.printKeys(keyRowOf(key, secret), func(w io.Writer) {
					fmt.Fprintln(w, secret)
					fmt.Fprintf(a.err, "%s, with %s. Keep it well: it is not shown again.\n", key.ID, strings.Join(key.Scopes, ", "))
				})
			})
		}}
	create.Flags().StringSliceVar(&scopes, "scope", []string{store.ScopeRead}, "what it may do: "+strings.Join(store.Scopes, ", "))
	list := &cobra.Command{Use: "list", Short: "List API keys", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
			keys, err := s.Keys(ctx)
			if err != nil {
				return err
			}
			out := page[keyRow]{Items: []keyRow{}}
			var rows [][]string
			for _, key := range keys {
				out.Items = append(out.Items, keyRowOf(key, ""))
				rows = append(rows, []string{key.ID, key.Name, key.Prefix + "…", strings.Join(key.Scopes, ", "), moment(key.CreatedAt), maybe(key.RevokedAt)})
			}
			return a.printKeys(out, func(w io.Writer) {
				table(w, "No keys yet: `scrip key create NAME`.", []string{"ID", "NAME", "KEY", "SCOPES", "CREATED", "REVOKED"}, rows)
			})
		})
	}}
	revoke := &cobra.Command{Use: "revoke ID", Short: "Revoke an API key, by its id or its first letters", Args: needs("an id"), RunE: func(cmd *cobra.Command, args []string) error {
		return a.withStore(cmd.Context(), func(ctx context.Context, s *store.Store) error {
			key, err := s.RevokeKey(ctx, strings.TrimSuffix(args[0], "…"))
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("there is no key %s; `scrip key list` shows them", args[0])
			}
			if err != nil {
				return err
			}
			if err := store.Audit(ctx, s.Pool, "cli", "key.revoke", key.ID, nil); err != nil {
				return err
			}
			return a.printKeys(keyRowOf(key, ""), func(w io.Writer) { fmt.Fprintf(w, "%s (%s) is revoked.\n", key.ID, key.Name) })
		})
	}}
	return parent("key", "Create and revoke API keys, in the database of DATABASE_URL", create, list, revoke)
}

func (a *app) printKeys(answer any, human func(io.Writer)) error {
	if !a.json {
		human(a.out)
		return nil
	}
	if err := json.NewEncoder(a.out).Encode(answer); err != nil {
		return fmt.Errorf("printing the answer: %w", err)
	}
	return nil
}
