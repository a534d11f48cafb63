-- API keys and tenants: what the handlers may know and do of them. They read no key's hash.

-- The owner of the API key with this hash; no row when it is unknown, revoked or expired.
CREATE OR REPLACE FUNCTION postern.authenticate(p_hash bytea)
RETURNS TABLE (name text, role text, tenant text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN QUERY
    SELECT k.name, k.role, k.tenant FROM postern.api_key k
     WHERE k.hash = p_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
  IF FOUND AND NOT pg_is_in_recovery() THEN
    UPDATE postern.api_key k SET last_used_at = date_trunc('minute', now())
     WHERE k.hash = p_hash
       AND (k.last_used_at IS NULL OR k.last_used_at < date_trunc('minute', now()))
       AND pg_try_advisory_xact_lock(hashtextextended(encode(p_hash, 'hex'), 0));
  END IF;
END $$;

-- When a key ended, by its revocation or its date, whichever was first; NULL: it works.
CREATE OR REPLACE FUNCTION postern.key_ended_at(p_revoked_at timestamptz, p_expires_at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE
RETURN CASE WHEN least(p_revoked_at, p_expires_at) <= now() THEN least(p_revoked_at, p_expires_at) END;

-- The keys of a tenant: those that work by name, then those that have ended, the last first.
CREATE OR REPLACE FUNCTION postern.list_keys(p_tenant text, p_working integer, p_ended integer)
RETURNS TABLE (name text, role text, tenant text, sandbox boolean, created_at timestamptz, last_used_at timestamptz,
               expires_at timestamptz, revoked_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH keys AS (
    SELECT k.*, postern.key_ended_at(k.revoked_at, k.expires_at) AS ended_at FROM postern.api_key k WHERE k.tenant = p_tenant),
  shown AS (
    (SELECT * FROM keys WHERE ended_at IS NULL ORDER BY name LIMIT p_working)
    UNION ALL
    (SELECT * FROM keys WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, name LIMIT p_ended))
  SELECT name, role, tenant, sandbox, created_at, last_used_at, expires_at, revoked_at FROM shown
   ORDER BY ended_at DESC NULLS FIRST, name
$$;

-- How many keys of a tenant work.
CREATE OR REPLACE FUNCTION postern.count_keys(p_tenant text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT count(*) FROM postern.api_key k
   WHERE k.tenant = p_tenant AND postern.key_ended_at(k.revoked_at, k.expires_at) IS NULL
$$;

-- Makes a key for the handlers and returns when; NULL: p_most of the tenant's work already. Of those that have ended it keeps
-- the last p_kept, so that who makes and revokes keys for ever fills no table. A key of the role operator is made on the host alone.
CREATE OR REPLACE FUNCTION postern.create_key(p_hash bytea, p_name text, p_role text, p_tenant text, p_sandbox boolean,
                                              p_expires_at timestamptz, p_most integer, p_kept integer)
RETURNS timestamptz LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE made timestamptz;
BEGIN
  IF p_role NOT IN ('admin', 'worker', 'read') THEN
    RAISE EXCEPTION 'a key of the role % is not made here', p_role USING ERRCODE = 'insufficient_privilege';
  END IF;
  -- One of a tenant at a time: two would make one too many, and delete the same keys in different orders.
  PERFORM pg_advisory_xact_lock(hashtextextended('postern.create_key ' || p_tenant, 0));
  IF postern.count_keys(p_tenant) >= p_most THEN RETURN NULL; END IF;
  DELETE FROM postern.api_key d WHERE d.hash IN (
    SELECT k.hash FROM postern.api_key k
     WHERE k.tenant = p_tenant AND k.role <> 'operator' AND postern.key_ended_at(k.revoked_at, k.expires_at) IS NOT NULL
     ORDER BY postern.key_ended_at(k.revoked_at, k.expires_at) DESC OFFSET p_kept);
  INSERT INTO postern.api_key AS k (hash, name, role, tenant, sandbox, expires_at)
  VALUES (p_hash, p_name, p_role, p_tenant, p_sandbox, p_expires_at) RETURNING k.created_at INTO made;
  RETURN made;
END $$;

-- Ends a key, unless it has been revoked already, and returns it; no row: there is none. One of the role operator stays as it is
-- unless an operator ends it.
CREATE OR REPLACE FUNCTION postern.revoke_key(p_tenant text, p_name text, p_by_operator boolean)
RETURNS TABLE (name text, role text, tenant text, sandbox boolean, created_at timestamptz, last_used_at timestamptz,
               expires_at timestamptz, revoked_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE postern.api_key k SET revoked_at = now()
   WHERE k.tenant = p_tenant AND k.name = p_name AND k.revoked_at IS NULL AND (k.role <> 'operator' OR p_by_operator);
  RETURN QUERY
    SELECT k.name, k.role, k.tenant, k.sandbox, k.created_at, k.last_used_at, k.expires_at, k.revoked_at
      FROM postern.api_key k WHERE k.tenant = p_tenant AND k.name = p_name;
END $$;

-- Makes a tenant and the secret that signs its webhooks, and returns when; NULL: there is one of this name.
CREATE OR REPLACE FUNCTION postern.create_tenant(p_name text, p_secret text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE made timestamptz;
BEGIN
  INSERT INTO postern.tenant AS t (name) VALUES (p_name) ON CONFLICT DO NOTHING RETURNING t.created_at INTO made;
  IF made IS NOT NULL THEN
    INSERT INTO postern.tenant_secret (tenant, secret) VALUES (p_name, p_secret);
  END IF;
  RETURN made;
END $$;
