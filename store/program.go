package store

import (
	"context"
	"fmt"
	"sync"

	"scrip.dev/scrip/campaign"
)

// Version is one immutable version of a campaign, compiled.
type Version struct {
	CampaignID int64
	Campaign   *campaign.Campaign
	Program    *campaign.Program
}

// versions caches compiled versions: they never change.
type versions struct {
	sync.RWMutex
	byKey map[versionKey]*Version
}

type versionKey struct {
	campaignID int64
	no         int
}

// Unreadable is the error of a stored version that this build can't compile: a
// newer build applied it. Look tells what is known of it all the same.
type Unreadable struct {
	campaign.Glimpse
	Version int
	cause   error
}

func (u *Unreadable) Error() string {
	return fmt.Sprintf("version %d of campaign %s can't be read by this build: %v", u.Version, u.Name, u.cause)
}

func (u *Unreadable) Unwrap() error { return u.cause }

// Version loads one version of a campaign. The error wraps ErrNotFound where
// there is none, and is an *Unreadable where this build can't compile it.
func (s *Store) Version(ctx context.Context, q Querier, campaignID int64, no int) (*Version, error) {
	key := versionKey{campaignID, no}
	s.versions.RLock()
	v := s.versions.byKey[key]
	s.versions.RUnlock()
	if v != nil {
		return v, nil
	}
	var source string
	err := q.QueryRow(ctx, `SELECT source FROM campaign_version WHERE campaign_id = $1 AND no = $2`, campaignID, no).Scan(&source)
	if err != nil {
		return nil, fmt.Errorf("loading version %d of campaign %d: %w", no, campaignID, notFound(err))
	}
	v, err = compile(campaignID, no, source)
	if err != nil {
		return nil, err
	}
	s.versions.Lock()
	defer s.versions.Unlock()
	if s.versions.byKey == nil {
		s.versions.byKey = map[versionKey]*Version{}
	}
	s.versions.byKey[key] = v
	return v, nil
}

func compile(campaignID int64, no int, source string) (*Version, error) {
	file, problems := campaign.Parse(fmt.Sprintf("campaign %d version %d", campaignID, no), []byte(source))
	if len(file.Campaigns) != 1 {
		return nil, &Unreadable{Glimpse: campaign.Look([]byte(source)), Version: no, cause: problems}
	}
	program, err := file.Campaigns[0].Compile(no)
	if err != nil {
		return nil, &Unreadable{Glimpse: campaign.Look([]byte(source)), Version: no, cause: err}
	}
	return &Version{CampaignID: campaignID, Campaign: file.Campaigns[0], Program: program}, nil
}
