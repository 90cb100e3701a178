-- What becomes a job of the queue on PostgreSQL, written in the transaction that changes the rows: nobody is woken before the
-- change can be seen, and no change is kept whose wake is lost. Carried out again and again without harm.
-- A job says only "look": rows are the truth. Where all jobs are gone, `releaser_sweep` makes them out of the rows anew.

-- Of another make they may take something else.
DROP FUNCTION IF EXISTS releaser_wake_rollout, releaser_wake_target, releaser_wake;

-- One wake: one job that waits, however often it is asked for. A job that rests until later is brought forward.
-- How long it rests is counted by this server's clock, which also says when it is over: those of workers may differ.
CREATE FUNCTION releaser_wake(queue text, task text, subject text, arguments jsonb, rest interval DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    woken bigint;
BEGIN
    INSERT INTO procrastinate_jobs AS job (queue_name, task_name, lock, queueing_lock, args, scheduled_at)
        VALUES (queue, task, subject, subject, arguments, clock_timestamp() + rest)
        ON CONFLICT (queueing_lock) WHERE status = 'todo'
        DO UPDATE SET queue_name = excluded.queue_name, scheduled_at = CASE
            WHEN job.scheduled_at IS NULL OR excluded.scheduled_at IS NULL THEN NULL
            ELSE least(job.scheduled_at, excluded.scheduled_at)
        END
        RETURNING id INTO woken;
    -- Who looked for jobs while this one was held by our transaction passed it over: call again when it ends.
    PERFORM pg_notify('procrastinate_queue_v1#' || queue, json_build_object('type', 'job_inserted', 'job_id', woken)::text);
END;
$$;

CREATE FUNCTION releaser_wake_rollout(rollout bigint) RETURNS void LANGUAGE sql AS $$
    SELECT releaser_wake('looks', 'rollout', 'rollout:' || rollout, jsonb_build_object('rollout_id', rollout));
$$;

-- What is cut over or put back has a queue of its own: preparing, which may take minutes, holds none of it up.
CREATE FUNCTION releaser_wake_target(target bigint, work bigint, rest interval DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    SELECT releaser_wake(
        CASE WHEN EXISTS (SELECT FROM target_updates WHERE id = work AND state IN (@TOUCHED@))
            THEN 'cutovers' ELSE 'targets' END,
        'target', 'target:' || target, jsonb_build_object('target_id', target, 'update_id', work), rest);
$$;

CREATE OR REPLACE FUNCTION releaser_update_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What its worker moves on by itself needs no wake; the rules of the rollout care for where it arrives.
    IF NEW.active AND NEW.state IN (@BEGIN_WORK@) THEN
        PERFORM releaser_wake_target(NEW.target_id, NEW.id);
    END IF;
    -- A wave cuts over when the last of it is prepared; of two that are at once, the second one sees the first.
    IF NEW.state = 'prepared' THEN
        PERFORM pg_advisory_xact_lock(hashtext('releaser wave'), NEW.rollout_id::integer);
    END IF;
    IF NEW.state IN (@ARRIVED@) AND NOT (NEW.state = 'prepared' AND EXISTS (
        SELECT FROM target_updates AS other
        WHERE other.rollout_id = NEW.rollout_id AND other.wave = NEW.wave AND other.state IN ('pending', 'preparing')
    )) THEN
        PERFORM releaser_wake_rollout(NEW.rollout_id);
    END IF;
    -- Whose request it solves is told together with those that are done in the same second.
    IF NEW.state = 'succeeded' THEN
        PERFORM releaser_wake('looks', 'outbox', 'outbox', '{}', interval '1 second');
    END IF;
    RETURN NULL;
END;
$$;

CREATE OR REPLACE FUNCTION releaser_rollout_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM releaser_wake_rollout(NEW.id);
    RETURN NULL;
END;
$$;

CREATE OR REPLACE FUNCTION releaser_consent_given() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM releaser_wake_rollout(NEW.rollout_id);
    RETURN NULL;
END;
$$;

CREATE OR REPLACE FUNCTION releaser_delivery_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM releaser_wake('looks', 'outbox', 'outbox', '{}');
    RETURN NULL;
END;
$$;

-- Throws away the jobs of workers that have been silent for so long, and makes those that the rows ask for and nobody has:
-- looks at rollouts under way (windows open, notices are read: time alone moves them) and work that nobody's lease covers.
-- Whoever comes while another one waits for its turn leaves it to that one.
CREATE OR REPLACE FUNCTION releaser_sweep(silent interval, writers_lock bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(writers_lock + 1) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(writers_lock);
    DELETE FROM procrastinate_jobs AS job WHERE job.status = 'doing' AND NOT EXISTS (
        SELECT FROM procrastinate_workers AS worker
        WHERE worker.id = job.worker_id AND worker.last_heartbeat >= clock_timestamp() - silent
    );
    DELETE FROM procrastinate_jobs WHERE status NOT IN ('todo', 'doing');
    DELETE FROM procrastinate_workers WHERE last_heartbeat < clock_timestamp() - interval '1 hour';
    PERFORM releaser_wake_rollout(id) FROM rollouts WHERE state IN (@UNDER_WAY@) ORDER BY id;
    PERFORM releaser_wake_target(one.target_id, one.id) FROM target_updates AS one
        WHERE one.active
            AND (one.state IN (@AT_WORK@) OR (one.state = 'waiting' AND one.waits_for = 'offline'))
            AND (one.not_before_at IS NULL OR one.not_before_at <= clock_timestamp()
                OR one.not_before_at > clock_timestamp() + interval '@NO_REST@')
            AND (one.lease_until_at IS NULL OR one.lease_until_at < clock_timestamp())
            -- Read once: of tables that grew since they were last looked through, a join would read all of one for each of the other.
            AND 'target:' || one.target_id NOT IN (
                SELECT job.lock FROM procrastinate_jobs AS job
                WHERE job.lock LIKE 'target:%' AND job.status IN ('todo', 'doing')
            )
        ORDER BY one.id;
END;
$$;

-- The queue looks for others of a lock by the lock; its own index begins with the number.
CREATE INDEX IF NOT EXISTS releaser_jobs_by_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing');

-- Last in its transaction: a job is held by who wakes it until that one's end, and many wake the same rollout at once.
DROP TRIGGER IF EXISTS releaser_update_changed ON target_updates;
CREATE CONSTRAINT TRIGGER releaser_update_changed AFTER UPDATE OF state ON target_updates
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION releaser_update_changed();
DROP TRIGGER IF EXISTS releaser_rollout_changed ON rollouts;
CREATE CONSTRAINT TRIGGER releaser_rollout_changed AFTER INSERT OR UPDATE OF state ON rollouts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state IN (@UNDER_WAY@)) EXECUTE FUNCTION releaser_rollout_changed();
DROP TRIGGER IF EXISTS releaser_consent_given ON consents;
CREATE CONSTRAINT TRIGGER releaser_consent_given AFTER INSERT ON consents
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION releaser_consent_given();
DROP TRIGGER IF EXISTS releaser_delivery_changed ON deliveries;
CREATE TRIGGER releaser_delivery_changed AFTER INSERT ON deliveries
    FOR EACH STATEMENT EXECUTE FUNCTION releaser_delivery_changed();
