-- The migration that the next version of the package's test has and this one has not.
-- min_program: 0.1.0
CREATE TABLE postern.added_by_the_next_version (what text NOT NULL);
INSERT INTO postern.added_by_the_next_version VALUES ('migrated');
