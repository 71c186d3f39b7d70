-- What a doctor found of an account, and how it knows again the lead that it made there.
CREATE TABLE doctor (
    account text COLLATE "C" PRIMARY KEY,
    marker text COLLATE "C" NOT NULL,
    given text COLLATE "C" NOT NULL DEFAULT '{}',
    found text COLLATE "C",
    found_at text COLLATE "C"
);
