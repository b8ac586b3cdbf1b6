-- Why a campaign was stopped by itself: 'stop_at', 'missed_schedule'; NULL: by hand, or it was
-- not stopped.
ALTER TABLE campaigns ADD COLUMN stop_reason TEXT;
